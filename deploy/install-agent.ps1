# Installs the Stickpress agent on a Windows host, as a service.
#
#   .\install-agent.ps1 -Server https://console.example -Token TOKEN [-Name bench-1] [-CAFingerprint HEX]
#
# Run it in an elevated PowerShell beside stickpress-agent.exe. The token comes
# from the console's hosts page and works once. Running it again with a newer
# program beside it updates the agent; then no token is needed.
[CmdletBinding()]
param(
    [string] $Server,
    [string] $Token,
    [string] $Name,
    [string] $CAFingerprint
)
$ErrorActionPreference = 'Stop'

$me = [Security.Principal.WindowsPrincipal] [Security.Principal.WindowsIdentity]::GetCurrent()
if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'Run this as Administrator: the service writes disks.'
}
$source = Join-Path $PSScriptRoot 'stickpress-agent.exe'
$folder = Join-Path $env:ProgramFiles 'Stickpress'
$agent = Join-Path $folder 'stickpress-agent.exe'
$state = Join-Path $env:ProgramData 'Stickpress\agent\agent.json'

# Call runs the agent and stops at its failure.
function Call {
    & $agent @args
    if ($LASTEXITCODE -ne 0) { throw "stickpress-agent $($args[0]) failed with status $LASTEXITCODE" }
}

$installed = Get-Service -Name stickpress-agent -ErrorAction SilentlyContinue
if ($installed -and $installed.Status -ne 'Stopped') { Call service stop } # finishes the sticks that were begun
New-Item -ItemType Directory -Force -Path $folder | Out-Null
Copy-Item -Force -Path $source -Destination $agent

if (-not (Test-Path $state)) {
    if (-not $Server -or -not $Token) { throw 'This host is not enrolled: -Server and -Token are needed.' }
    $env:STICKPRESS_AGENT_TOKEN = $Token # not on the command line, which others can see
    $more = @()
    if ($Name) { $more += '--name', $Name }
    if ($CAFingerprint) { $more += '--ca-fingerprint', $CAFingerprint }
    try { Call enroll $Server @more } finally { Remove-Item Env:STICKPRESS_AGENT_TOKEN }
}
if (-not $installed) { Call service install }
Call service start
Call devices
